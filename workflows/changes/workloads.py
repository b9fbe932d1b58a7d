from workflows.install.application import app, migration, privileges
from workflows.install.conductor import conductor, console
