"""Features that librosa makes, for tests/test_audio.c; 'digit_*' are of speech/fsdd/0_george_0.wav of the test data.

    python3 tests/golden/make_audio.py /path/to/data
"""
import os
import sys
import wave

import librosa
import numpy as np

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "audio.npz")
t = np.arange(1600) / 8000
signal = (0.5 * np.sin(2 * np.pi * 440 * t) + 0.25 * np.sin(2 * np.pi * (500 + 4000 * t) * t)).astype(np.float32)
out = {"signal": signal}
out["power_zero"] = librosa.stft(signal, n_fft=256, hop_length=80, win_length=200, pad_mode="constant")
out["power_reflect"] = librosa.stft(signal, n_fft=300, hop_length=100, pad_mode="reflect")
out["power_none"] = librosa.stft(signal, n_fft=256, hop_length=128, center=False)
out = {k: (np.abs(v.T) ** 2).astype(np.float32) if k != "signal" else v for k, v in out.items()}
out["filters_slaney"] = librosa.filters.mel(sr=8000, n_fft=256, n_mels=20)
out["filters_htk"] = librosa.filters.mel(sr=16000, n_fft=400, n_mels=23, fmin=20, fmax=7600, htk=True, norm=None)
mel = librosa.feature.melspectrogram(y=signal, sr=8000, n_fft=256, hop_length=80, win_length=200, n_mels=20)
out["db"] = librosa.power_to_db(mel).T
out["mfcc"] = librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=13).T
with wave.open(os.path.join(sys.argv[1], "speech/fsdd/0_george_0.wav")) as w:
    rate = w.getframerate()
    digit = np.frombuffer(w.readframes(w.getnframes()), "<i2").astype(np.float32) / 32768
mel = librosa.feature.melspectrogram(y=digit, sr=rate, n_fft=512, hop_length=256, n_mels=40)
out["digit_db"] = librosa.power_to_db(mel).T
np.savez_compressed(here, **{k: np.ascontiguousarray(v, np.float32) for k, v in out.items()})
print(os.path.getsize(here))
