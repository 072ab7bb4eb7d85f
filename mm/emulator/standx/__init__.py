"""StandX perpetuals as they speak: logins, REST, the market stream and the order responses."""
