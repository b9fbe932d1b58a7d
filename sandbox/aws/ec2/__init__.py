"""EC2 as moto has it, with what an install and, more so, an uninstall depends on."""
