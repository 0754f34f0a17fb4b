"""What a command gets in its environment."""

import json
import os

from mockserver.certify.model import Stage

PREFIX = "MOCKSERVER_"


def variables(stage: Stage) -> dict[str, str]:
    """Returns the variables of a run, without those of this process."""
    own = {
        "BASE_URL": stage.base_url,
        "PROVIDER": stage.provider,
        "ACCOUNT": stage.account,
        "CHECK": stage.check,
        "TIME_LIMIT_S": f"{stage.time_limit:g}",
        "CREDENTIALS": json.dumps(stage.credentials),
    }
    own |= {name.upper(): _text(value) for name, value in stage.credentials.items()}
    own |= {f"FILTER_{name.upper()}": value for name, value in stage.filters.items()}
    return {PREFIX + name: value for name, value in own.items()}


def environment(stage: Stage) -> dict[str, str]:
    """Returns the environment of a command; no proxy stands between it and the server."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
    return inherited | {"NO_PROXY": "*", "no_proxy": "*"} | variables(stage)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
