"""Importing the libraries of such a loop and making the session: ``start.py MODEL PROVIDER``."""

import sys

import av  # noqa: F401
import cv2  # noqa: F401
import numpy as np  # noqa: F401
import paho.mqtt.client as paho  # noqa: F401
import sessions

sessions.default(*sys.argv[1:])
