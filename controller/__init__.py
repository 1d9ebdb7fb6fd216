"""The loop around the sandbox: agents, decisions, ledger, git, command line; see README.md."""
