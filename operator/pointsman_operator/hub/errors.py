"""What the hub's API answers when it cannot do what was asked: one shape, one place."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pointsman_operator.ledger.errors import LedgerError, NotReleasable, TooBusy


class HubError(Exception):
    """An error with its HTTP status and its code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def error_answer(status: int, code: str, message: str) -> JSONResponse:
    """`{"error": {"code", "message"}}`; what may pass soon says when to try again."""
    headers = {"retry-after": "1"} if status == 503 else None  # noqa: PLR2004
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)


def answer_errors(app: FastAPI) -> None:
    """Give every error of the app the shape of the contract."""

    @app.exception_handler(HubError)
    async def hub_error(_request: Request, error: HubError) -> JSONResponse:
        return error_answer(error.status, error.code, str(error))

    @app.exception_handler(LedgerError)
    async def ledger_error(_request: Request, error: LedgerError) -> JSONResponse:
        if isinstance(error, NotReleasable):
            return error_answer(409, "not_releasable", str(error))
        code = "busy" if isinstance(error, TooBusy) else "ledger_unavailable"
        return error_answer(503, code, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        # Where and why, never the value: it may be somebody's secret in the wrong place.
        found = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        ]
        return error_answer(422, "invalid_request", "; ".join(found[:10]))

    @app.exception_handler(HTTPException)
    async def http_error(_request: Request, error: HTTPException) -> JSONResponse:
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "http_error")
        return error_answer(error.status_code, code, error.detail)
