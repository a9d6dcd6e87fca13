"""Checks a sale from its public documents alone: ``waitroom verify``. ``docs/draw.md`` has their formats."""
