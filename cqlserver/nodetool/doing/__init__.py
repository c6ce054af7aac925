"""What nodetool's commands do: a function of each one's name. The table of them is in commands.py."""
