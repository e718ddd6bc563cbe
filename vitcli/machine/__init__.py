"""The machine: process, threads, memory and files; nothing of images or nets."""
