"""Chapter "The DS-LSTM": the widget that draws the two input gates."""
