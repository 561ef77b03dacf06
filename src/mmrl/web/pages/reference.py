"""The API's reference as a page of our own: it needs no script, and nothing from elsewhere."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from mmrl.web.pages.templates import page

router = APIRouter(include_in_schema=False)
_PREFIX = "#/components/schemas/"


@router.get("/docs")
async def docs(request: Request) -> Response:
    """Every call of the API, from its OpenAPI document."""
    document = request.app.openapi()
    schemas = document.get("components", {}).get("schemas", {})
    calls = [
        {
            "method": method.upper(),
            "path": path,
            "description": call.get("description", ""),
            "parts": [] if "requestBody" not in call else _parts(call["requestBody"]),
            "gives": _kind(_json(call["responses"]["200"])),
            "errors": [
                (status, answer["description"])
                for status, answer in call["responses"].items()
                if status != "200"
            ],
        }
        for path, methods in document["paths"].items()
        for method, call in methods.items()
    ]
    types = [
        (name, schema.get("description", ""), _fields(schema))
        for name, schema in schemas.items()
        if "properties" in schema and not name.startswith("HTTPValidation")
    ]
    base = str(request.base_url).rstrip("/")
    return page(request, "reference.html.j2", {"calls": calls, "types": types, "base": base})


def _parts(body: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (name, _kind(part), part.get("description", ""))
        for content in body["content"].values()
        for name, part in content["schema"]["properties"].items()
    ]


def _json(answer: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _fields(schema: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Name, type, meaning of each field, and whether it must be given."""
    needed = schema.get("required", [])
    return [
        (name, _kind(field), _meaning(field), name in needed)
        for name, field in schema["properties"].items()
    ]


def _meaning(field: dict[str, Any]) -> str:
    meaning = str(field.get("description", ""))
    if field.get("default") not in (None, {}, []):
        meaning += f"; {field['default']} unless given"
    return meaning


def _kind(schema: dict[str, Any]) -> str:
    """A type in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_PREFIX)
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"“{value}”" for value in schema["enum"])
    if schema.get("format") == "binary":
        return "file"
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return {"date-time": "time", "string": "text"}.get(schema.get("format", kind), kind)
