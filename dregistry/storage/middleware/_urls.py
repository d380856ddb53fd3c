"""
Parts of URLs.
"""

PATH_CHARACTERS = "/~!$&'()*+,;=:@"
"""What stands as it is in the path of a URL, beside letters, digits and ``-._`` (RFC 3986, section 3.3)."""
