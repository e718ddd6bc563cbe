"""Tables of names: other libraries' tensors under vitcli's names."""
