"""Export: a trained net as a file that runs without vitcli, checked on pictures before it gets its name."""
