"""Files on disk: strict YAML, worlds, scenarios, facts, OpenAPI documents."""
