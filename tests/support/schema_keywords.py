"""What of JSON Schema the contracts may use: what a refusal can put in words."""

from __future__ import annotations

EXPLAINED_KEYWORDS = frozenset(
    {
        "$ref",
        "type",
        "enum",
        "const",
        "required",
        "dependentRequired",
        "properties",
        "additionalProperties",
        "propertyNames",
        "items",
        "minItems",
        "maxItems",
        "maxProperties",
        "minLength",
        "maxLength",
        "pattern",
        "minimum",
        "maximum",
        "allOf",
        "anyOf",
        "not",
        "if",
        "then",
    }
)
