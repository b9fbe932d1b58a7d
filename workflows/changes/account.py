from workflows.install.account import preflight
