"""What Airbyte itself makes of source-instantly; needs the package `airbyte`."""
