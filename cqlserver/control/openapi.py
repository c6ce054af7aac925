"""The OpenAPI document of the control port, made from the table of operations."""

from typing import Final

from cqlserver.control.operation import Argument, Operation
from cqlserver.control.operations import OPERATIONS

VERSION: Final = "1"
_ERROR: Final = {
    "type": "object",
    "properties": {
        "error": {"type": "object", "properties": {"code": {"type": "string"}, "message": {"type": "string"}}},
    },
}


def document(port: int, is_encrypted: bool = False, asks_for_token: bool = False) -> dict[str, object]:
    described: dict[str, object] = {
        "openapi": "3.1.0",
        "info": {
            "title": "cqlserver's control port",
            "version": VERSION,
            "description": "Operations on a running server, for tests and tools of the same machine.",
        },
        "servers": [{"url": f"{'https' if is_encrypted else 'http'}://127.0.0.1:{port}"}],
        "paths": {f"/{operation.name}": _path(operation) for operation in OPERATIONS},
    }
    if asks_for_token:
        described["components"] = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
        described["security"] = [{"token": []}]
    return described


def _path(operation: Operation) -> dict[str, object]:
    path: dict[str, object] = {"post": _post(operation)}
    if operation.reads:
        path["get"] = _get(operation)
    return path


def _post(operation: Operation) -> dict[str, object]:
    body: dict[str, object] = {
        "type": "object",
        "properties": {argument.name: _schema(argument) for argument in operation.arguments},
        "additionalProperties": False,
    }
    required = [argument.name for argument in operation.arguments if argument.is_required]
    if required:
        body["required"] = required
    described = _described(operation, operation.name)
    if operation.arguments:
        described["requestBody"] = {"required": bool(required), "content": {"application/json": {"schema": body}}}
    return described


def _get(operation: Operation) -> dict[str, object]:
    described = _described(operation, f"get_{operation.name}")
    described["parameters"] = [
        {"name": argument.name, "in": "query", "required": argument.is_required, "schema": _schema(argument)}
        for argument in operation.arguments
    ]
    return described


def _described(operation: Operation, operation_id: str) -> dict[str, object]:
    return {
        "operationId": operation_id,
        "summary": operation.summary,
        "responses": {
            "200": {"description": "done", "content": {"application/json": {"schema": dict(operation.answer)}}},
            "default": {"description": "not done", "content": {"application/json": {"schema": _ERROR}}},
        },
    }


def _schema(argument: Argument) -> dict[str, object]:
    schema = {**argument.kind.schema, "description": argument.summary}
    if not argument.is_required and argument.default is not None:
        schema["default"] = argument.default
    return schema
