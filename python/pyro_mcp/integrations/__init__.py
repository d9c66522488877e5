"""Adapters that let frameworks use pyro's workspaces. Each is a module of its own, which needs its
framework: `pip install pyro-mcp[pydantic-ai]`. Nothing here is imported by `pyro_mcp` itself."""
