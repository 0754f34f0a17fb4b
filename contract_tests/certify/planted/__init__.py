"""The catalogue of planted client defects, one module for each theme."""
