"""The one log: turns sealed into a chain, stored on JetStream, in archives or in memory."""
