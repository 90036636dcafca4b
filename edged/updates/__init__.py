"""Models sent from afar, the box's side: what may be believed, how it gets here, and which of it is taken."""
