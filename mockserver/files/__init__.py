"""Files that people write: strict YAML, worlds, scenarios, facts, documents."""
