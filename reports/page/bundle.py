"""Writes the chart library as one script: bundle.py OUTPUT. Needs the wheel named in requirements.txt."""
import sys

import vl_convert

# The expression interpreter comes with the embedder (its option `ast`), so the page needs no eval.
script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
if "</script" in script.lower() or "<!--" in script or "\r" in script:
    sys.exit("the bundle cannot stand inside a <script> element as it is")
with open(sys.argv[1], "w", encoding="utf-8", newline="") as output:
    output.write(script)
print(f"Vega {vl_convert.get_vega_version()}, Vega-Lite {vl_convert.get_vegalite_versions()[-1]}")
