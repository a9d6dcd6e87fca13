"""The gate: the waiting room behind aiohttp, in front of a shop."""
