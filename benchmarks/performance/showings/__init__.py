"""One file for what is shown together; each has ``shown(setting)``, which gives figures."""
