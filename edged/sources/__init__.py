"""Where frames come from: cameras, video files, folders of pictures, single pictures.

    address ─┬ video    (PyAV: RTSP, HTTP, USB, files) ┬─ captures ─┬ camera   (a thread of the daemon)
             └ pictures (OpenCV: files and folders)    ┘            └ stream   (`edged detect`: read once)

A capture is a frame as it arrived; only those that are chosen are turned into upright planes. Importing this
package bounds the pixels of a picture before OpenCV is imported, which reads the bound once.
"""

import os

MAX_PIXELS = 2**27
"""Of one picture or video frame: 134 million.

Decoding a picture takes 6 bytes for each, so that one of twice as many would take most of the 2 GiB that the unit of
systemd allows.
"""

os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(MAX_PIXELS)
