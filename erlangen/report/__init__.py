"""Result files -> pages and pictures. Reads files only: what it shows is what a run wrote."""
