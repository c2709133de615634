"""From files of others to recordings that ``rehab-gateway replay`` reads; never loaded by a gateway at the bedside."""
