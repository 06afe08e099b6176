"""The whole service on one machine: `python -m config.local up` or `demo`.

Embedded servers, migrations, web, worker and beat (and for the demo, without an OpenAI key, the simulator) as one
foreground process that restarts what crashes and takes everything with it when it ends.
"""
