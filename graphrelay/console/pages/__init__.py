"""The pages, one a file: what each shows, and the forms that lead to it."""
