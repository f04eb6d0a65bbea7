"""Events -> dirty set -> snapshot -> compile -> publish -> status."""
