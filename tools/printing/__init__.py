"""The book as one PDF and as one EPUB, made from the pages that Jupyter Book renders.

What needs a browser is said in words there: a sound by its caption, an interactive figure by its
first state. What a page folds away (answers, hints, solutions) stands at the back.
"""
