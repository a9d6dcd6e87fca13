"""A virtual waiting room: the line, the draw, the pace, the door and the tickets."""
