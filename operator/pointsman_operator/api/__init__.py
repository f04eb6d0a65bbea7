"""The three custom resources as pydantic models, read from files or from the API server.

Nothing here touches the network; `compile` and everything above it imports from here.
"""

from pointsman_operator.api.budget import Budget
from pointsman_operator.api.kinds import BY_KIND, KINDS, AnyResource
from pointsman_operator.api.load import Loaded, load_folder, load_texts
from pointsman_operator.api.meta import API_VERSION, GROUP, ObjectName, ObjectRef
from pointsman_operator.api.parse import Parsed, parse_document
from pointsman_operator.api.policy import RoutingPolicy
from pointsman_operator.api.pool import ModelPool
from pointsman_operator.api.problems import Location, Problem, ProblemCode

__all__ = [
    "API_VERSION",
    "BY_KIND",
    "GROUP",
    "KINDS",
    "AnyResource",
    "Budget",
    "Loaded",
    "Location",
    "ModelPool",
    "ObjectName",
    "ObjectRef",
    "Parsed",
    "Problem",
    "ProblemCode",
    "RoutingPolicy",
    "load_folder",
    "load_texts",
    "parse_document",
]
