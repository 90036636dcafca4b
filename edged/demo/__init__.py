"""What ``edged demo`` shows: a broker and a daemon, each a process, and what a subscriber sees of them."""
