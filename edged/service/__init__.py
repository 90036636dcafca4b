"""The daemon, built from the settings, supervised, reloaded and ended; only this and the commands see them whole."""
