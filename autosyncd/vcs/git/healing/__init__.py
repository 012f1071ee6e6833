"""Heal: what a power cut tore is put right."""
