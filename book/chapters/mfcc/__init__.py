"""Chapter "MFCC, pitch, level and rate": toolkits' MFCCs, envelopes, speaking rate, effects."""
