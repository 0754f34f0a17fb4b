"""The data of a badge, in the form that shields.io reads from a URL."""

import json

from mockserver.certify.card import Card


def badge(card: Card) -> bytes:
    """Returns the JSON: green if every ``must`` passed and was reached, else orange or red."""
    clear = card.passed and card.reached.passed == card.reached.of
    colour = "brightgreen" if clear else "orange" if card.passed else "red"
    data = {
        "schemaVersion": 1,
        "label": f"certified {card.client.provider} {card.requirements}",
        "message": card.score.text,
        "color": colour,
    }
    return json.dumps(data, indent=2).encode() + b"\n"
