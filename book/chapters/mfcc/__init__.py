"""Chapter "MFCC: a spectrum in a few numbers": toolkits' MFCCs, speech from its envelope."""
