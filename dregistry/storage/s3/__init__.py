"""
The ``s3`` driver: content in a bucket of Amazon S3, or of anything that speaks its protocol, under the keys that
distribution's driver uses.

From the bottom up: ``_endpoint`` and ``_signing`` say where a request goes and who sends it, ``_transport`` sends it,
``_client`` sends it again when it has to and tells what went wrong, ``_api`` speaks S3's operations. On these stand
``_reading``, ``_listing``, ``_search``, ``_copying`` and ``_writer``, and on all of them ``driver``.

Nothing is imported here: whoever asks for the options does not load a client for HTTP.
"""
