"""Remote sources: folders, archives, tables and shards in object stores and on web servers, through fsspec."""
