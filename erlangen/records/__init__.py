"""What every command leaves behind: frozen records, JSON in and out. They import nothing of ours but `errors`."""
