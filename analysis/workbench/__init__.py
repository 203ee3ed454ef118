"""What rule authors work with: the commands of `molehunt rules`, a module each, and what they share."""
