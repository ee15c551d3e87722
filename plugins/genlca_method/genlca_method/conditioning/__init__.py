"""What is said and shown of a person that is to be made."""
