"""The operator's side of the gate: health, metrics, an API and a console, on a port of their own."""
