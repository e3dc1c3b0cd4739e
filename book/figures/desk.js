// The desk serves a file of its own in place of this one. It says where the feed is: `window.lab = {origin: …}`.
