"""Figures for everybody: counted by the day, made safe by noise, published once."""
