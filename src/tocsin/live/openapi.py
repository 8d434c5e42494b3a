"""The interface said in full: an OpenAPI document made from the words themselves, and a page that needs nothing else."""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.metadata import version
from typing import Any

import msgspec

from tocsin.live import reads
from tocsin.live.ids import Accepted
from tocsin.live.predict import Prediction, ServedModels, Texts
from tocsin.schema import LARGEST_AMOUNT_MINOR, AccountEvent, Decision, Label, Transaction

_WORDS = (Transaction, AccountEvent, Label, Decision, Accepted)
_FOUND = (reads.FoundDecision, reads.FoundAccount, reads.FoundAlerts, reads.MemoryState)
_PREDICT = (Texts, Prediction, ServedModels)
_PROBLEM = {
    "title": "Problem",
    "description": "A refusal: what must hold and what was got, about which field, and the way out.",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "field": {"type": "string"},
        "hint": {"type": "string"},
        "status": {
            "type": "integer",
            "description": "In an answer of JSON lines: the status this line would have had.",
        },
        "line": {"type": "integer", "description": "In an answer of JSON lines: the line it is about, from 1."},
    },
}
_REFUSALS = {
    "401": "No key, or one that nobody knows.",
    "404": "There is no such thing here.",
    "409": "The id came before with other content.",
    "413": "The body, or the list, is beyond the limit.",
    "422": "The words are wrong; `field` says which.",
    "429": "More than the key's rate, or too many wait.",
    "500": "A fault of ours; nothing was kept.",
    "503": "Not ready, or the decision could not be kept; send the same id again.",
}
_NAME = {"minLength": 1, "maxLength": 200}
# What the door holds each word to, said in the document too; times must carry a zone, which `date-time` says.
_BOUNDS: dict[str, dict[str, Any]] = {
    "id": _NAME,
    "account": _NAME,
    "amount_minor": {"minimum": 0, "maximum": LARGEST_AMOUNT_MINOR},
    "currency": {"pattern": "^[A-Z]{3}$", "examples": ["EUR"]},
    "latitude": {"minimum": -90, "maximum": 90},
    "longitude": {"minimum": -180, "maximum": 180},
    "source": {"minLength": 1, "maxLength": 40},
    **{name: {"maxLength": 200} for name in ("payee", "card", "device", "ip", "retailer", "country", "channel")},
}
_ABOUT = """Tocsin answers every payment: approve, review or decline.

An answer means it is kept: the payment, the decision and the alert were committed together before it was sent. The same
id with the same content gets the same answer, so sending again is always safe; the same id with other content is a 409.
**Reasons** are computed after the answer, for alerts only: read them a moment later at `/v1/decisions/{id}` or
`/v1/alerts`. The `code` is neutral and may be shown to the customer. When no score came before the deadline the answer
is the owner's choice, approve or review, with `deadline_passed` true and no score.

Many at once go as JSON lines (`application/x-ndjson`): each line has its own result, in order, and the whole list is
one commit. A card number becomes a keyed token before anything else sees it.

Models of **classes** answer beside the payments: the bytes of a picture or a sound, or texts, to `/v1/predict/{model}`;
`/v1/models` says which there are. Nothing of what is sent there is kept."""


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    _, components = msgspec.json.schema_components(
        [*_WORDS, *_FOUND, *_PREDICT], ref_template="#/components/schemas/{name}"
    )
    for name, bounds in _BOUNDS.items():
        for word in (Transaction, AccountEvent, Label):
            field = components[word.__name__]["properties"].get(name)
            if field is not None:
                (field["anyOf"][0] if "anyOf" in field else field).update(bounds)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tocsin", "version": version("tocsin"), "description": _ABOUT},
        "security": [{"key": []}],
        "paths": _paths(),
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "`tocsin key new NAME` makes a key."}
            },
        },
    }


def _paths() -> dict[str, Any]:
    after = _query("after", "The last id already known.", {"type": "integer", "minimum": 0, "maximum": 2**62})
    limit = _query("limit", "At most so many.", {"type": "integer", "minimum": 0, "maximum": reads.MOST})
    status = _query("status", "Only these.", {"type": "string", "enum": ["new", "joined", "dismissed"]})
    return {
        "/v1/transactions": {"post": _post("Decide a payment, or many", "Transaction", "Decision", ("409",))},
        "/v1/events": {"post": _post("Tell of an account event", "AccountEvent", "Accepted", ("409",))},
        "/v1/labels": {"post": _post("Tell what became known of a payment", "Label", "Accepted", ("404",))},
        "/v1/decisions/{id}": {
            "get": _read("A decision, with its reasons once they are there", "FoundDecision", [_place("id")], ("404",))
        },
        "/v1/accounts/{account}": {
            "get": _read("An account and its newest payments", "FoundAccount", [_place("account"), limit], ("404",))
        },
        "/v1/alerts": {"get": _read("Alerts, oldest first", "FoundAlerts", [after, limit, status], ())},
        "/v1/predict/{model}": {"post": _predict()},
        "/v1/models": {"get": _read("The models of classes that answer here", "ServedModels", [], ())},
        "/v1/memory": {"get": _read("The state of the memory", "MemoryState", [], ())},
        "/metrics": {"get": _text_answer("Counts, times and sizes for Prometheus", "text/plain")},
        "/health": {"get": _open_answer("Whether the process answers at all", ("200",))},
        "/ready": {"get": _open_answer("Whether payments are being decided", ("200", "503"))},
    }


def _deadline(about: str) -> dict[str, Any]:
    return {
        "name": "Tocsin-Deadline-Ms",
        "in": "header",
        "required": False,
        "description": about,
        "schema": {"type": "integer", "minimum": 1, "maximum": 60_000},
    }


def _predict() -> dict[str, Any]:
    top = _query(
        "top", "Only so many classes; all where it is not given.", {"type": "integer", "minimum": 1, "maximum": 99_999}
    )
    late = _deadline("Milliseconds after which the answer is 503 if no prediction is there.")
    text = {"type": "string", "minLength": 1, "description": "One text."}
    file = {
        "type": "string",
        "format": "binary",
        "description": "A picture's or a sound's file; image/* and audio/* too.",
    }
    texts = {"anyOf": [{"$ref": "#/components/schemas/Texts"}, {"type": "array", "items": {"type": "string"}}]}
    return {
        "summary": "Say what a picture, a sound or texts are",
        "parameters": [_place("model"), top, late],
        "requestBody": {
            "required": True,
            "content": {
                "application/octet-stream": {"schema": file},
                "text/plain": {"schema": text},
                "application/json": {"schema": texts},
            },
        },
        "responses": {
            "200": {
                "description": "The classes, the most probable first; of a list of texts, one after another.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Prediction"}}},
            },
            **_refused("401", "404", "413", "422", "429", "500", "503"),
        },
    }


def _post(summary: str, given: str, answer: str, refusals: tuple[str, ...]) -> dict[str, Any]:
    one, lines = {"$ref": f"#/components/schemas/{given}"}, "application/x-ndjson"
    return {
        "summary": summary,
        "parameters": [_deadline("Milliseconds after which something is answered in any case.")],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": one}, lines: {"schema": {"type": "string"}}},
        },
        "responses": {
            "200": {
                "description": "Kept. For JSON lines, one line each: an answer or a Problem.",
                "content": {
                    "application/json": {"schema": {"$ref": f"#/components/schemas/{answer}"}},
                    lines: {"schema": {"type": "string"}},
                },
            },
            **_refused("401", "413", "422", "429", "500", "503", *refusals),
        },
    }


def _read(summary: str, answer: str, parameters: list[dict[str, Any]], refusals: tuple[str, ...]) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{answer}"}
    return {
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": "Found.", "content": {"application/json": {"schema": schema}}},
            **_refused("401", "422", "429", "503", *refusals),
        },
    }


def _text_answer(summary: str, media: str) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {
            "200": {"description": "As it is now.", "content": {media: {"schema": {"type": "string"}}}},
            **_refused("401", "429"),
        },
    }


def _open_answer(summary: str, statuses: tuple[str, ...]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    says = {"200": "Yes.", "503": "Not yet; `problem` says why."}
    return {
        "summary": summary,
        "security": [],
        "responses": {status: {"description": says[status], "content": content} for status in statuses},
    }


def _refused(*statuses: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _REFUSALS[status], "content": content} for status in sorted(statuses)}


def _query(name: str, about: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": about, "schema": schema}


def _place(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 200}
    return {"name": name, "in": "path", "required": True, "schema": schema}


@cache
def page() -> str:
    """The document as one HTML page: no script, nothing from elsewhere."""
    doc = document()
    parts = [_paragraphs(doc["info"]["description"])]
    for path, methods in doc["paths"].items():
        parts += [_operation(method.upper(), path, operation) for method, operation in methods.items()]
    parts.append("<h2>Words</h2>")
    parts += [_schema(name, schema) for name, schema in sorted(doc["components"]["schemas"].items())]
    body = "\n".join(parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tocsin API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>Tocsin API</h1>"
        f'<p>The same as <a href="/v1/openapi.json">OpenAPI 3.1</a>.</p>{body}</main></body></html>'
    )


_STYLE = (
    ":root{color-scheme:light dark}body{font:14px/1.5 system-ui,sans-serif;margin:0}"
    "main{max-width:860px;margin:0 auto;padding:24px}section{border-top:1px solid #8886;padding:8px 0 16px}"
    "code{font:13px ui-monospace,monospace}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;vertical-align:top;padding:4px 12px 4px 0;border-top:1px solid #8883}"
)


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [
        (p["name"], f"{p['in']}, {_type(p['schema'])}", p.get("description", ""))
        for p in operation.get("parameters", [])
    ]
    given = operation.get("requestBody", {}).get("content", {})
    rows += [("body", media, _type(content["schema"])) for media, content in given.items()]
    for status, response in operation["responses"].items():
        types = ", ".join(_type(content["schema"]) for content in response["content"].values())
        rows.append((status, types, response["description"]))
    return (
        f"<section><h2><code>{method} {escape(path)}</code></h2><p>{escape(operation['summary'])}.</p>"
        f"{_table(rows)}</section>"
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (field, _type(kind) + ("" if field in required else ", optional"), kind.get("description", ""))
        for field, kind in schema.get("properties", {}).items()
    ]
    rows += [("one of", ", ".join(map(str, schema["enum"])), "")] if "enum" in schema else []
    about = _paragraphs(schema.get("description", ""))
    return f'<section id="{escape(name)}"><h3><code>{escape(name)}</code></h3>{about}{_table(rows)}</section>'


def _table(rows: list[tuple[str, str, str]]) -> str:
    cells = "".join(
        f"<tr><td><code>{escape(a)}</code></td><td>{escape(b)}</td><td>{escape(c)}</td></tr>" for a, b, c in rows
    )
    return f"<table>{cells}</table>"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items') or {})}"
    return str(schema.get("format") or schema.get("type") or "anything")


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in text.replace("**", "").replace("`", "").split("\n\n") if part)
