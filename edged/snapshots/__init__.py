"""The best picture of each object: copied while its frame is at hand, covered where nobody may look, encoded later.

frame, event ─ copied (`shot`) ─→ waits (`waiting`) ─→ what was found in that very frame (`looks`) ─→ JPEG (`picture`)
"""
